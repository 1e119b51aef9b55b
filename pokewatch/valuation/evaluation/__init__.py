"""How good a model is: walk-forward evaluation, scores, the choice among models, and the gate."""
