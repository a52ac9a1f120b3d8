"""Sequence to sequence, and vector to sequence (section 10.4): recurrent layers read, and others write."""

from typing import Any

from torch import Generator, nn

from models.datasets import Schema
from models.descent import Descent, Training
from models.encoder_decoder import STATES, Context, Decoder, Embedding, Encoder, EncoderDecoder, Recurrent, Vector
from models.translation import Translation
from models.units import Dense, Dropout, draw_weight


def build(
    *,
    seed: int,
    cell: str,
    hidden_size: int,
    embedding_size: int,
    layers: int,
    bidirectional: bool,
    context: Context,
    teacher_forcing: float,
    dropout: float,
    **training: Any,  # the catalogue's DESCENT
) -> Descent:
    """Dropout acts on what goes into each layer and out of the last, not from step to step (Zaremba 2014)."""

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        drop = Dropout(dropout, generator) if dropout else nn.Identity()
        width = layers * STATES[cell] * hidden_size  # of the context

        def stack(inputs: int, directions: int) -> list[Recurrent]:
            below = [inputs, *[directions * hidden_size] * (layers - 1)]
            return [Recurrent(cell, size, hidden_size, directions, generator) for size in below]

        def affine(inputs: int, outputs: int) -> Dense:
            return Dense(draw_weight(outputs, inputs, "linear", 0.0, "glorot", generator))

        def read() -> Encoder | Vector:
            if schema.form != "tokens":
                return Vector(affine(schema.size, width))
            embedding = Embedding(len(schema.source), embedding_size, generator)
            merge = affine(2 * width, width) if bidirectional else None
            return Encoder(embedding, stack(embedding_size, 2 if bidirectional else 1), merge, drop)

        encoder = read()
        embedding = Embedding(len(schema.target), embedding_size, generator)
        inputs = embedding_size + (0 if context == "initial" else width)
        decoder = Decoder(embedding, stack(inputs, 1), affine(hidden_size, len(schema.target)), drop, context)
        return EncoderDecoder(encoder, decoder, teacher_forcing, generator)

    return Descent(make_net, Training.of(**training), seed=seed, make_goal=Translation)
