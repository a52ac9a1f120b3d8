"""What a trial printed is kept whole where it is short, and at both ends where it is long."""

import pytest

from workers.output import Output

MARK = "\nend\n"


def fed(text: bytes, size: int, half: int = 1000) -> Output:
    output = Output(half)
    output.begin(MARK)
    for i in range(0, len(text), size):
        output.feed(text[i : i + size])
    return output


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_all_up_to_the_mark_is_kept_whatever_the_pieces(size):
    output = fed(b"step 1\nstep 2" + MARK.encode() + b"of nobody", size)
    assert output.take(0) == b"step 1\nstep 2"


@pytest.mark.parametrize("size", [1, 7, 5000])
def test_long_output_keeps_its_ends_and_says_what_is_missing(size):
    output = fed(b"a" * 10 + b"b" * 300 + b"c" * 10 + MARK.encode(), size, half=10 + len(MARK))
    kept = output.take(0).decode()
    assert kept.startswith("a" * 10) and kept.endswith("c" * 10)
    assert "bytes left out" in kept and len(kept) < 70


def test_output_before_the_trial_is_not_the_trials():
    output = Output()
    output.feed(b"imports are slow today")
    output.begin(MARK)
    output.feed(b"hello" + MARK.encode())
    assert output.take(0) == b"hello"


def test_without_a_mark_what_there_is_is_taken_when_the_process_is_gone():
    output = fed(b"last words", 3)
    output.close()
    assert output.take(3600) == b"last words"
