//! The first job: a signed-in user gets an Ably token that carries exactly what their role and jobs allow.
