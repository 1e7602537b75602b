"""From pixels and prompts to masks: graphs, embeddings, protocols, propagation."""
