"""Walk-forward evaluation of models: scores, model selection and the gate."""
