"""The loop over epochs and steps, against one written out, and a loss that is not a number."""

import pytest
import torch
from torch import nn

from procrop.networks.epoch_trainer import EpochTrainer
from procrop.networks.training_state import TrainingError

X = torch.arange(10.0).reshape(5, 2)


class _Regression(EpochTrainer):
    """Pulls a linear map's answers to zero with SGD, whose steps show the learning rate."""

    def __init__(self, scale=1.0):
        torch.manual_seed(0)
        network = nn.Linear(2, 1)
        super().__init__(network, torch.optim.SGD(network.parameters(), lr=9.0), epochs=2, batch_size=2)
        self.scale, self.places = scale, []

    def learning_rate(self, done):
        return 1e-3 * (1 + done)

    def run_epoch(self, epoch):
        def loss_of(places):
            assert self.network.training
            self.places.append((epoch, places.start, places.stop))
            return self.scale * self.network(X[places]).square().mean()

        return self.run_steps(epoch, len(X), loss_of)


def test_steps_rates_and_mean_loss(tmp_path):
    run, told = _Regression(), []
    run.train(tmp_path / "state.safetensors", "run", after_epoch=lambda *found: told.append(found))
    places = [(0, 2), (2, 4), (4, 5)]
    assert run.places == [(epoch, *two) for epoch in (0, 1) for two in places]
    assert not run.network.training and (tmp_path / "state.safetensors").exists()
    plain, losses = _Regression().network, []
    for epoch in (0, 1):
        total = 0.0
        for step, (start, stop) in enumerate(places):
            loss = plain(X[start:stop]).square().mean()
            grads = torch.autograd.grad(loss, list(plain.parameters()))
            with torch.no_grad():
                for weight, grad in zip(plain.parameters(), grads, strict=True):
                    weight -= 1e-3 * (1 + epoch + step / 3) * grad
            total += loss.item() * (stop - start)
        losses.append((epoch + 1, total / 5))
    assert told == [(done, pytest.approx(loss)) for done, loss in losses]
    for got, expected in zip(run.network.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got, expected)


def test_a_loss_that_is_no_number_ends_the_training_and_is_not_kept(tmp_path):
    with pytest.raises(TrainingError, match="the loss of epoch 1 is not a number; lower the learning rate"):
        _Regression(float("nan")).train(tmp_path / "state.safetensors", "run")
    assert not list(tmp_path.iterdir())
