"""The metrics by task with their directions; each is reported for the training and for the validation part."""

from models.catalog.entries import Direction, Metric, Task


def _pair(name: str, direction: Direction, *tasks: Task) -> tuple[Metric, Metric]:
    return Metric(f"train_{name}", direction, tasks), Metric(f"val_{name}", direction, tasks)


LOSS = _pair("loss", "minimize", "classification", "regression", "multitask", "labelling", "seq2seq", "language")
CLASSIFICATION = (
    *_pair("error", "minimize", "classification", "labelling"),
    *_pair("accuracy", "maximize", "classification", "labelling"),
    *_pair("precision", "maximize", "classification"),
    *_pair("recall", "maximize", "classification"),
    *_pair("f1", "maximize", "classification"),
    *_pair("auc", "maximize", "classification"),
    *_pair("cost", "minimize", "classification"),
)
SEQ2SEQ = (  # of whole sequences by greedy decoding; of tokens where the true ones before are given
    *_pair("error", "minimize", "seq2seq"),
    *_pair("accuracy", "maximize", "seq2seq"),
    *_pair("token_error", "minimize", "seq2seq"),
    *_pair("token_accuracy", "maximize", "seq2seq"),
)
REGRESSION = (
    *_pair("mse", "minimize", "regression"),
    *_pair("mae", "minimize", "regression"),
    *_pair("r2", "maximize", "regression"),
)
MULTITASK = (  # means over the heads, then the first head's error and the mean of the others'
    *_pair("error", "minimize", "multitask"),
    *_pair("accuracy", "maximize", "multitask"),
    *_pair("first_error", "minimize", "multitask"),
    *_pair("others_error", "minimize", "multitask"),
)
PERPLEXITY = _pair("perplexity", "minimize", "language")  # exp of a cross-entropy
LANGUAGE = (*PERPLEXITY, *_pair("accuracy", "maximize", "language"))  # of the next word
NEIGHBOURS = _pair("mrr", "maximize", "language")  # mean reciprocal rank of a word's neighbour among noise words
RECONSTRUCTION = _pair("reconstruction", "minimize", "classification", "regression")
PROBE = (
    *_pair("probe_error", "minimize", "classification"),
    *_pair("probe_accuracy", "maximize", "classification"),
    *_pair("probe_mse", "minimize", "regression"),
    *_pair("probe_mae", "minimize", "regression"),
    *_pair("probe_r2", "maximize", "regression"),
)
