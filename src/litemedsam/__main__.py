"""``python -m litemedsam`` is ``litemedsam-infer``."""

from litemedsam.engine.cli import main

if __name__ == "__main__":
    main()
