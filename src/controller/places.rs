//! Where the operator watches for requests. Pure.

/// All namespaces, or these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Places {
    All,
    /// The first one is the operator's own.
    These(Vec<String>),
}

impl Places {
    /// All, or its own and those others.
    pub(crate) fn of(all: bool, own: &str, others: Vec<String>) -> Self {
        if all {
            return Self::All;
        }
        let mut these = vec![own.to_owned()];
        for other in others {
            if !these.contains(&other) {
                these.push(other);
            }
        }
        Self::These(these)
    }

    /// The places, each by its namespace; none where it is all of them.
    pub(super) fn each(&self) -> Vec<Option<String>> {
        match self {
            Self::All => vec![None],
            Self::These(names) => names.iter().cloned().map(Some).collect(),
        }
    }
}

/// A place in words.
pub(super) fn in_words(place: Option<&str>) -> String {
    place.map_or("all namespaces".to_owned(), |name| format!("namespace {name}"))
}
