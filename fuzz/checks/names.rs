//! Names of repositories, and patterns of them. Pure.

use singletrack::api::{RepoName, RepoPattern};
use url::Url;

/// What is taken for a name is written as it was read, and stands in a URL as it is.
pub fn names(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    if let Ok(name) = text.parse::<RepoName>() {
        assert_eq!(name.to_string(), text);
        assert_eq!(format!("{}/{}", name.owner(), name.name()), text);
        assert_eq!(name, text.to_ascii_uppercase().parse().expect("case does not count"));
        let url = Url::parse(&format!("https://ghe.example/repos/{name}/issues")).expect("a URL");
        assert_eq!(url.path(), format!("/repos/{name}/issues"));
        let json = serde_json::to_string(&name).expect("a name is JSON");
        assert_eq!(serde_json::from_str::<RepoName>(&json).expect("and is read again"), name);
        let owner = format!("{}/*", name.owner()).parse::<RepoPattern>().expect("a pattern");
        assert!(owner.matches(&name));
        assert!(matches!(text.parse(), Ok(RepoPattern::One(one)) if one == name));
    }
    if let Ok(pattern) = text.parse::<RepoPattern>() {
        assert_eq!(pattern.to_string(), text);
        assert!(pattern.includes(&pattern));
        match &pattern {
            RepoPattern::One(name) => assert!(pattern.matches(name)),
            RepoPattern::AllOf(owner) => assert!(!owner.contains('/') && !owner.is_empty()),
        }
    }
}
