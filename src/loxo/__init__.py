"""loxo: finds forest-elephant rumbles and gunshots in long recordings."""
