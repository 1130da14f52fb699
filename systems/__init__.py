"""Which systems are compared? Each is registered as anybody else's would be; installed as `erc_bench.systems`."""
