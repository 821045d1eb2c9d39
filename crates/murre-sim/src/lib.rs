//! A virtual network with real machines, oracles and sabotage
