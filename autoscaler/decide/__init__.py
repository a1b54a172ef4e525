"""Pure decisions: from a snapshot of the fleet to the actions to take."""
