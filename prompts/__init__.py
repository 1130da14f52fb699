"""prompts of erc-bench, installed as `erc_bench.prompts`."""
