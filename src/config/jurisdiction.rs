//! Where the law wants the objects to be.

/// A jurisdiction of Cloudflare's, in which Durable Objects run and keep what they keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jurisdiction {
    /// The European Union.
    Eu,
    /// Data centres with an authorisation by FedRAMP.
    Fedramp,
    /// The United States.
    Us,
}

impl Jurisdiction {
    /// Reads what a setting says.
    ///
    /// # Errors
    /// The rule, for anything that is none.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text {
            "eu" => Ok(Self::Eu),
            "fedramp" => Ok(Self::Fedramp),
            "us" => Ok(Self::Us),
            _ => Err("is `eu`, `fedramp` or `us`"),
        }
    }

    /// As the runtime calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Eu => "eu",
            Self::Fedramp => "fedramp",
            Self::Us => "us",
        }
    }
}
