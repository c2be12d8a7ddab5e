"""The two contracts (Store, Broker), what fulfils them, and what both kinds of consumer are made of."""
