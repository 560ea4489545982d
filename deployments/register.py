"""`python -m deployments.register`: blocks made known to Prefect's server, so that its UI has their forms."""

from blocks.registry import BLOCKS


def main() -> None:
    """Register every kind of block; again it only brings their forms up to date."""
    for kind in BLOCKS:
        kind.register_type_and_schema()
        print(f"registered {kind.get_block_type_slug()}")


if __name__ == "__main__":
    main()
