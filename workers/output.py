"""What a trial printed: its first and last half mebibyte, cut out of a process's stream by a mark at its end."""

import threading

HALF = 512 * 1024  # bytes


class Output:
    """Collects the bytes that a process prints, trial by trial. Written by one thread, read by another."""

    def __init__(self, half: int = HALF) -> None:
        self._half = half
        self._changed = threading.Condition()
        self._closed = False
        self._mark, self._last = b"", b""
        self._head, self._tail = bytearray(), bytearray()
        self._left_out, self._ended = 0, False

    def begin(self, mark: str) -> None:
        """Forget what was printed so far; what comes from now on belongs to one trial, until the mark is printed."""
        with self._changed:
            self._mark, self._last = mark.encode(), b""
            self._head, self._tail = bytearray(), bytearray()
            self._left_out, self._ended = 0, False

    def feed(self, piece: bytes) -> None:
        """More of what is printed."""
        with self._changed:
            if self._ended:
                return
            room = max(0, self._half - len(self._head))
            self._head += piece[:room]
            self._tail += piece[room:]
            if (surplus := len(self._tail) - 2 * self._half) > 0:
                self._left_out += surplus + self._half
                del self._tail[: surplus + self._half]
            recent = self._last + piece
            self._ended = bool(self._mark) and self._mark in recent
            self._last = recent[-len(self._mark) :]
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing will be printed any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, patience: float) -> bytes:
        """All that the trial printed, once its mark has come, or what there is after `patience` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._closed, patience)
            surplus = max(0, len(self._tail) - self._half)
            left_out = self._left_out + surplus
            gap = f"\n… {left_out} bytes left out …\n".encode() if left_out else b""
            printed = bytes(self._head) + gap + bytes(self._tail[surplus:])
            return printed.rpartition(self._mark)[0] if self._ended else printed
