"""The Deep Learning Book's models, their data and their training loop; knows no server and no study."""
