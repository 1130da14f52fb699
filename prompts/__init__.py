"""What are language models asked? One text a prompt, its placeholders checked; installed as `erc_bench.prompts`."""
