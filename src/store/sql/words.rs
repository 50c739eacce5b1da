//! Where the databases need words of their own. Pure.

/// What differs in statements that are the same otherwise.
#[derive(Debug)]
pub(in crate::store) struct Words {
    /// The greatest of several values.
    pub(in crate::store) greatest: &'static str,
    /// The function that gives the texts of a JSON array as rows with a column `value`.
    pub(in crate::store) each: &'static str,
    /// What keeps others from writing a row that is read. A writer of SQLite is alone.
    pub(in crate::store) for_share: &'static str,
    pub(in crate::store) for_update: &'static str,
    /// A list that is bound as one value, before and after its number.
    list: (&'static str, &'static str),
}

pub(in crate::store) static SQLITE: Words = Words {
    greatest: "max",
    each: "json_each",
    for_share: "",
    for_update: "",
    list: ("(SELECT value FROM json_each($", "))"),
};

pub(in crate::store) static POSTGRES: Words = Words {
    greatest: "greatest",
    each: "jsonb_array_elements_text",
    for_share: "FOR SHARE",
    for_update: "FOR UPDATE",
    list: ("(SELECT unnest($", "))"),
};

impl Words {
    /// The list that is bound as parameter `number`, to be used after `IN`.
    pub(in crate::store) fn list(&self, number: u8) -> String {
        let (before, after) = self.list;
        format!("{before}{number}{after}")
    }
}
