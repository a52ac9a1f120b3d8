"""The parameters of everything that learns by gradient descent on mini-batches (chapters 7, 8 and 11)."""

from models.catalog.entries import Form, Parameter

FLAT: tuple[Form, ...] = ("table", "image", "sequence")  # what a model of plain features takes: it flattens the rest

AUGMENTATION: dict[str, Parameter] = {  # of the training examples, anew at each step (sections 7.4 and 7.5)
    "input_noise": Parameter(
        "float", 0.0, "Deviation of the noise added to standardized inputs in training", low=0.0, high=100.0
    ),
    "shift": Parameter(
        "int", 0, "Images move by up to so many pixels, sequences by so many steps, in training", low=0, high=100_000
    ),
    "rotation": Parameter(
        "float", 0.0, "Images turn by up to so many degrees either way, in training", low=0.0, high=180.0
    ),
    "scaling": Parameter(
        "float", 0.0, "Deviation of each sequence's or row's random factor of mean 1, in training", low=0.0, high=10.0
    ),
    "flip": Parameter("bool", False, "Mirror each image left to right with even odds, in training"),
}
DEBUGGING: dict[str, Parameter] = {  # what looks on and changes nothing (section 11.5)
    "check_gradients": Parameter(
        "bool", False, "Compare gradients with finite differences before training; a wrong one fails the trial"
    ),
    "histograms": Parameter(
        "bool",
        False,
        "Keep histograms of activations and gradients by layer over the epochs, in a file of the trial",
    ),
}
UNEQUAL: dict[str, Parameter] = {  # for classes that are rare or whose mistakes are dear (section 11.1)
    "class_weights": Parameter(
        "categorical",
        "none",
        "balanced: each class counts the same in the loss that is minimized; the reported loss stays unweighted",
        choices=("none", "balanced"),
    ),
    "cost_matrix": Parameter(
        "matrix",
        (),
        "Costs of decisions by true class (rows) and decided class: the least expected cost decides, val_cost is their "
        "mean; with [] each mistake costs 1",
        low=0.0,
    ),
}
DESCENT: dict[str, Parameter] = {
    "learning_rate": Parameter("float", 0.05, "Step size of the first epoch", low=0.0),
    "optimizer": Parameter(
        "categorical",
        "sgd",
        "Gradient descent with momentum; Adam; Adam with decoupled weight decay; L-BFGS; Newton's method, for at most "
        "2,000 parameters. The last two take one step with all training rows in each epoch, and no learning_rate or l1",
        choices=("sgd", "adam", "adamw", "lbfgs", "newton"),
    ),
    "momentum": Parameter("float", 0.9, "Share of the last step that is kept; only for sgd", low=0.0, high=0.9999),
    "nesterov": Parameter("bool", False, "Take the gradient after the momentum's step; only for sgd"),
    "weight_decay": Parameter(
        "float",
        0.0,
        "With sgd and adamw, weights shrink by learning_rate * weight_decay beside each step; else it is as l2",
        low=0.0,
    ),
    "l1": Parameter("float", 0.0, "L1 penalty on the weights by proximal steps: gives exact zeros", low=0.0),
    "l2": Parameter("float", 0.0, "L2 penalty: l2 / 2 * sum of squared weights is added to the loss", low=0.0),
    "clip_norm": Parameter(
        "float", 0.0, "Longest gradient of all parameters together, cut to that; 0: any. Not for lbfgs, newton", low=0.0
    ),
    "clip_value": Parameter(
        "float",
        0.0,
        "Largest entry of a gradient, cut to that, then clip_norm; 0: any. Not for lbfgs, newton",
        low=0.0,
    ),
    "damping": Parameter("float", 1e-3, "Added to the Hessian's diagonal; only for newton", low=0.0),
    "history": Parameter("int", 10, "Steps that are remembered; only for lbfgs", low=1, high=1000),
    "learning_rate_decay": Parameter(
        "categorical",
        "none",
        "How the learning rate falls: by decay_factor within decay_epochs",
        choices=("none", "linear", "exponential", "step"),
    ),
    "decay_factor": Parameter(
        "float", 0.1, "Share of the learning rate that is left after decay_epochs", low=0.0, high=1.0
    ),
    "decay_epochs": Parameter(
        "int", 20, "Epochs within which the learning rate falls by decay_factor", low=1, high=1_000_000
    ),
    "epochs": Parameter("int", 40, "Passes over the training data, at most", low=1, high=1_000_000),
    "batch_size": Parameter("int", 64, "Rows in a mini-batch", low=1, high=10_000_000),
    "precision": Parameter(
        "categorical",
        "float32",
        "bfloat16: matrix products and convolutions of training steps in half the bits; parameters and metrics "
        "in float32 (mixed precision). Not for lbfgs, newton",
        choices=("float32", "bfloat16"),
    ),
    **AUGMENTATION,
    **DEBUGGING,
}
