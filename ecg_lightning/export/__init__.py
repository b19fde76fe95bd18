"""Networks for other programs: as ONNX or a program of torch.export, with their preprocessing inside."""
