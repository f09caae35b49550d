//! The second job: a driver's fixes get a sequence number, are kept, and reach Ably in order, once.
