from __future__ import annotations

from erc_bench.contract.domain import Dataset
from erc_bench.systems.isolated.system import IsolatedLstm


def test_the_lstm_has_five_layers_and_reads_the_last_token(sample: Dataset) -> None:
    import torch

    from erc_bench.systems.isolated.networks import LstmNetwork

    network = IsolatedLstm(labels=sample.labels)._new_network(300)
    assert isinstance(network, LstmNetwork)
    assert network.lstm.num_layers == 5
    words = torch.randn(1, 20, 300)
    padded = words.clone()
    padded[:, 6:] = 0
    lengths = torch.tensor([6])
    torch.testing.assert_close(network(padded, lengths), network(words, lengths))
    assert not torch.equal(network(words, lengths), network(words, torch.tensor([7])))


def test_linear_layers_read_all_words_at_their_place() -> None:
    import torch

    from erc_bench.systems.isolated.networks import LinearNetwork

    network = LinearNetwork(width=20 * 3, hidden=4)
    words = torch.randn(2, 20, 3)
    found = network(words, torch.tensor([20, 20]))
    assert found.shape == (2, 4)
    assert not torch.equal(network(words.flip(1), torch.tensor([20, 20])), found)
