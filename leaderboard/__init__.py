"""leaderboard of erc-bench, installed as `erc_bench.leaderboard`."""
