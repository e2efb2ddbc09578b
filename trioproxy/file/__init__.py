"""From an env file to a policy: names, sections, verbs, and what they mean. Start and reload only."""
