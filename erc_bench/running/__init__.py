"""How is a run made? Plans, processes, checks of the contract, export and import."""
