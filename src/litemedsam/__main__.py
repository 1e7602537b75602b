"""``python -m litemedsam`` is ``litemedsam-infer``."""

from litemedsam.engine.cli.main import command

if __name__ == "__main__":
    command()
