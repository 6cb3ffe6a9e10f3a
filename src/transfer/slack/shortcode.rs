//! Slack's names of emoji. Called by `transfer::slack`.

use emojis::SkinTone;

/// The emoji that `name` (without colons) is; `None` for one that a workspace made itself. Cost: O(length).
pub fn emoji(name: &str) -> Option<String> {
    let (name, tone) = name.split_once("::").map_or((name, None), |(name, tone)| (name, tone_of(tone)));
    let found = candidates(name).into_iter().find_map(|name| emojis::get_by_shortcode(&name))?;
    let toned = tone.and_then(|tone| found.with_skin_tone(tone));
    Some(toned.unwrap_or(found).as_str().to_owned())
}

fn tone_of(name: &str) -> Option<SkinTone> {
    Some(match name {
        "skin-tone-2" => SkinTone::Light,
        "skin-tone-3" => SkinTone::MediumLight,
        "skin-tone-4" => SkinTone::Medium,
        "skin-tone-5" => SkinTone::MediumDark,
        "skin-tone-6" => SkinTone::Dark,
        _ => return None,
    })
}

/// The names under which the tables may have it: theirs are of another list than Slack's.
fn candidates(name: &str) -> Vec<String> {
    let mut names = vec![name.to_owned(), name.replace('-', "_")];
    for (prefix, ours) in
        [("flag-", ""), ("female-", "woman_"), ("male-", "man_"), ("woman-", "woman_"), ("man-", "man_")]
    {
        if let Some(rest) = name.strip_prefix(prefix) {
            names.push(format!("{ours}{}", rest.replace('-', "_")));
        }
    }
    let other = match name {
        "simple_smile" => "slightly_smiling_face",
        "thumbsup_all" => "+1",
        "white_frowning_face" => "frowning_face",
        "face_with_rolling_eyes" => "roll_eyes",
        "hugging_face" => "hugs",
        "face_palm" => "facepalm",
        "the_horns" => "metal",
        "heavy_heart_exclamation_mark_ornament" => "heavy_heart_exclamation",
        _ => return names,
    };
    names.push(other.to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::emoji;

    #[test]
    fn names_of_slack_are_found() {
        for (name, found) in [
            ("tada", Some("🎉")),
            ("+1", Some("👍")),
            ("thumbsup", Some("👍")),
            ("+1::skin-tone-4", Some("👍🏽")),
            ("simple_smile", Some("🙂")),
            ("flag-de", Some("🇩🇪")),
            ("female-technologist", Some("👩‍💻")),
            ("party_parrot", None),
            ("", None),
        ] {
            assert_eq!(emoji(name).as_deref(), found, "{name}");
        }
    }
}
