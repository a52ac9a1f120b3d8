"""Pairs of sequences, made by definition: reversed letters, dates to be written as numbers, digits to be spelled."""

import datetime
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor

from models.datasets.bundled import digit_images
from models.datasets.dataset import END, Dataset

END_NAME = "<end>"  # position 0 of each vocabulary
LETTERS, SHORTEST, LONGEST = "abcdefghij", 4, 7
REVERSALS, DATES = 8_000, 10_000
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
FIRST_DAY, DAYS = datetime.date(1900, 1, 1), 73_049  # to 2099-12-31
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FORMATS: tuple[Callable[[datetime.date], str], ...] = (
    lambda day: f"{day.day} {_month(day)} {day.year}",
    lambda day: f"{_month(day)} {day.day}, {day.year}",
    lambda day: f"{_month(day)[:3]} {_ordinal(day.day)} {day.year}",
    lambda day: f"the {_ordinal(day.day)} of {_month(day)} {day.year}",
    lambda day: f"{day.year}, {_month(day)[:3]} {day.day}",
    lambda day: f"{day.day}.{day.month}.{day.year}",
)


def read_reversal(name: str, rows: int = REVERSALS) -> Dataset:
    """Different words of 4 to 7 of ten letters, each length about as likely; the target is the word backwards."""
    random = Generator().manual_seed(0)
    lengths = torch.randint(SHORTEST, LONGEST + 1, (2 * rows,), generator=random).tolist()  # enough, with repetitions
    drawn = torch.randint(len(LETTERS), (2 * rows, LONGEST), generator=random).tolist()
    words = dict.fromkeys(
        "".join(LETTERS[letter] for letter in letters[:length]) for letters, length in zip(drawn, lengths, strict=True)
    )
    chosen = list(words)[:rows]
    return pair(name, chosen, [word[::-1] for word in chosen])


def read_dates(name: str) -> Dataset:
    """10,000 different days of 1900 to 2099, each in one of six formats → as 1987-03-31, character by character."""
    random = Generator().manual_seed(0)
    days = [FIRST_DAY + datetime.timedelta(days=n) for n in torch.randperm(DAYS, generator=random)[:DATES].tolist()]
    formats = torch.randint(len(FORMATS), (DATES,), generator=random).tolist()
    written = [FORMATS[form](day) for form, day in zip(formats, days, strict=True)]
    return pair(name, written, [day.isoformat() for day in days])


def read_spelled_digits(name: str) -> Dataset:
    """Handwritten digits (N, 1, 8, 8) → their English names, letter by letter."""
    images, digits = digit_images()
    y, target = encode([DIGITS[digit] for digit in digits.tolist()])
    return Dataset(name, "seq2seq", images, y, form="image", target=target)


def pair(name: str, sources: Sequence[Sequence[str]], targets: Sequence[Sequence[str]]) -> Dataset:
    """Sequences of tokens and what is to be written for each; a text is the sequence of its characters."""
    x, source = encode(sources)
    y, target = encode(targets)
    lengths = torch.tensor([len(tokens) for tokens in sources])
    return Dataset(
        name, "seq2seq", x[:, :-1].contiguous(), y, form="tokens", lengths=lengths, source=source, target=target
    )


def encode(sequences: Sequence[Sequence[str]]) -> tuple[Tensor, tuple[str, ...]]:
    """(N, longest + 1) int64 positions in the vocabulary returned, in order of the alphabet, filled up with END."""
    vocabulary = (END_NAME, *sorted({token for tokens in sequences for token in tokens}))
    positions = {token: position for position, token in enumerate(vocabulary)}
    width = max(len(tokens) for tokens in sequences) + 1
    rows = [[positions[token] for token in tokens] + [END] * (width - len(tokens)) for tokens in sequences]
    return torch.tensor(rows), vocabulary


def _month(day: datetime.date) -> str:
    return MONTHS[day.month - 1]


def _ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, … 11th, 12th, 13th, … 21st."""
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number in (11, 12, 13) else endings.get(number % 10, 'th')}"
