"""How a recording that is longer than a network's input is covered by windows."""


def windows_of(length: int, window: int) -> list[int]:
    """First samples of as few equal windows as cover a recording; the last one ends with it.

    >>> windows_of(1000, 1000), windows_of(2500, 1000), windows_of(700, 1000)
    ([0], [0, 750, 1500], [0])
    """
    count = max(1, -(-length // window))
    return [round(k * (length - window) / (count - 1)) for k in range(count)] if count > 1 else [0]
