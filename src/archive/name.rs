//! What may be in an archive: each entry's name is one of these, letter by letter. So there is no way out of the folder that
//! it is unpacked into, by `..`, by `/` or otherwise. Called by `write`, `read` and `place`.

use std::path::PathBuf;

use crate::attachments;
use crate::users::avatar;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    About,
    Key,
    Database,
    /// A file of messages, by its digest.
    File(String),
    /// Somebody's picture.
    Picture(String),
    Manifest,
}

impl Name {
    /// Where it lies in an archive, and in the folder that one is unpacked into.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.text())
    }

    pub fn text(&self) -> String {
        match self {
            Self::About => "about.json".to_owned(),
            Self::Key => "secret_key".to_owned(),
            Self::Database => "switchboard.db".to_owned(),
            Self::File(digest) => format!("uploads/files/{digest}"),
            Self::Picture(file) => format!("uploads/avatars/{file}"),
            Self::Manifest => "manifest.json".to_owned(),
        }
    }

    /// `None` for what no backup has.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        if let Some(digest) = text.strip_prefix("uploads/files/") {
            return attachments::is_digest(digest).then(|| Self::File(digest.to_owned()));
        }
        if let Some(file) = text.strip_prefix("uploads/avatars/") {
            return avatar::is_name(file).then(|| Self::Picture(file.to_owned()));
        }
        [Self::About, Self::Key, Self::Database, Self::Manifest].into_iter().find(|name| name.text() == text)
    }

    /// The most bytes that it may have; `None` for what may be as long as there is room.
    pub fn most_bytes(&self) -> Option<u64> {
        match self {
            Self::About | Self::Key => Some(64 << 10),
            Self::Manifest => Some(1 << 20),
            Self::Database | Self::File(_) | Self::Picture(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let digest = "0123456789abcdef".repeat(4);
        let picture = format!("{}.png", &digest[..32]);
        for name in
            [Name::About, Name::Key, Name::Database, Name::File(digest.clone()), Name::Picture(picture), Name::Manifest]
        {
            assert_eq!(Name::parse(name.text().as_bytes()), Some(name));
        }
        for bad in
            ["", "/etc/passwd", "../x", "uploads/files/../../x", "uploads/files/", "./about.json", "uploads/avatars/x"]
        {
            assert_eq!(Name::parse(bad.as_bytes()), None, "{bad}");
        }
        let upper = format!("uploads/files/{}", digest.to_uppercase());
        assert_eq!(Name::parse(upper.as_bytes()), None, "one file, one name");
        assert_eq!(Name::parse(&[0xff, 0xfe]), None);
    }
}
