"""systems of erc-bench, installed as `erc_bench.systems`."""
