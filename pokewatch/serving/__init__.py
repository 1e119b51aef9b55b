"""The online half's models: MLServer runtimes over the price book, and what deploys a new one to them."""
