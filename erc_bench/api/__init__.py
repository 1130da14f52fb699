"""The harness from Python: what does each command do, as a function that returns what the command prints?

The functions are exported by `erc_bench` itself, which imports them when they are first asked for. Errors are those of
`erc_bench.errors`. A folder may be given as text or as a Path; `data_dir` is where the real data lies, as for `load_dataset`;
without `progress` nothing is printed.
"""
