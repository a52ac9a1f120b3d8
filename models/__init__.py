"""The Deep Learning Book's models, their data and their training loop; knows no server and no study.

`models.catalog` loads no torch, and neither does this module: learners are built by `models.families.build`.
"""
