//! An Ably for the laptop, in memory, that the real SDKs connect to.
