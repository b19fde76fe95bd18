"""What one request may cost, and the errors that a client is answered with."""

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds of a service.

    Attributes:
        most_bytes: of the body of a request.
        most_files: of one recording.
        upload_seconds: within which a body must have arrived, from the moment at which it is read.
        reading_seconds: within which the files must be read; the process that reads them is ended then.
        reading_bytes: memory of that process.
        recording_seconds: length of the longest recording that is predicted.
        slots: requests that are worked on at the same time; further ones wait, and their bodies are not read yet.
        waiting: requests that may wait.
        waiting_seconds: for which a request may wait.
    """

    most_bytes: int = 32 * MEGABYTE
    most_files: int = 8
    upload_seconds: float = 60
    reading_seconds: float = 20
    reading_bytes: int = 4096 * MEGABYTE
    recording_seconds: float = 600
    slots: int = 4
    waiting: int = 1000
    waiting_seconds: float = 600


class Refused(Exception):
    """A request that is not answered with a prediction; the text is one sentence for the client, without any name.

    Args:
        status: of HTTP.
        text: the sentence.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
