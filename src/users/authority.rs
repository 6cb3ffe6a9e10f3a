//! Who may do what to whom: one function, [`may`], asked by everything that changes an account, whoever calls it. Rights
//! to look at rows and to change other models are the admin's declarations; what one may do in a room is in `rooms`.

use super::{Person, Role, User};
use crate::error::{Error, Result};
use crate::ids::UserId;

/// What may be done to an account by others than its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    ChangeRole,
    /// Let it log in or not.
    Disable,
    Delete,
    /// Put it back after it was deleted.
    Restore,
    EndSessions,
    TurnOffTwoFactor,
    /// Close a connection, which may come back.
    Disconnect,
}

/// Whether `by` may do `act` to the account `whom`; `None` is the command line, which may all. What would leave the site
/// without an administrator is refused elsewhere, where the others are counted: `change::keep_an_admin`.
/// Errors: [`Error::Conflict`] for what nobody does to themselves, [`Error::Forbidden`] for what their role doesn't let
/// them. Cost: nothing.
pub fn may(by: Option<&Person>, act: Act, whom: UserId, role: Role) -> Result<()> {
    let Some(by) = by else { return Ok(()) };
    if by.id == whom {
        return oneself(by, act);
    }
    let is_below = by.is_admin() || by.role.outranks(role);
    match act {
        Act::Disable | Act::Disconnect if is_below => Ok(()),
        Act::Disable | Act::Disconnect if by.is_staff() => {
            Err(Error::Forbidden(msgid!("Only an administrator can do that to staff.")))
        }
        _ if by.is_admin() => Ok(()),
        _ => Err(Error::Forbidden(msgid!("Only an administrator can do that."))),
    }
}

/// The same for an account that was read.
pub fn may_to(by: Option<&Person>, act: Act, whom: &User) -> Result<()> {
    may(by, act, whom.id, whom.role)
}

/// Nobody promotes, demotes, disables or deletes themselves with the powers of their office.
fn oneself(by: &Person, act: Act) -> Result<()> {
    let why = match act {
        Act::Disconnect => return Ok(()),
        _ if !by.is_staff() => return Err(Error::Forbidden(msgid!("Only an administrator can do that."))),
        Act::ChangeRole => msgid!("You can't change your own role: another administrator can."),
        Act::Disable => msgid!("You can't disable your own account."),
        Act::Delete => msgid!("You can't delete your own account here. In your settings you can."),
        Act::Restore => msgid!("This is your own account."),
        Act::EndSessions => msgid!("These are your own sessions: log out instead, or end the others in your settings."),
        Act::TurnOffTwoFactor => msgid!("Turn your own two-factor off in your settings."),
    };
    Err(Error::Conflict(why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SessionId;
    use crate::users::Via;

    const ACTS: [Act; 7] = [
        Act::ChangeRole,
        Act::Disable,
        Act::Delete,
        Act::Restore,
        Act::EndSessions,
        Act::TurnOffTwoFactor,
        Act::Disconnect,
    ];
    const ROLES: [Role; 3] = [Role::Admin, Role::Moderator, Role::User];

    fn person(role: Role) -> Person {
        Person {
            id: UserId(1),
            username: "ann".into(),
            role,
            via: Via::Session(SessionId(1)),
            signed_in_at: None,
            confirmed_at: None,
            avatar: None,
            held_back: false,
            language: None,
        }
    }

    fn status(by: Role, act: Act, whom: i64, role: Role) -> u16 {
        may(Some(&person(by)), act, UserId(whom), role).map_or_else(|error| error.status(), |()| 200)
    }

    #[test]
    fn administrators_may_all_to_others_moderators_little_to_those_below_and_people_nothing() {
        for act in ACTS {
            for role in ROLES {
                assert_eq!(status(Role::Admin, act, 2, role), 200, "{act:?} {role:?}");
                let is_light = matches!(act, Act::Disable | Act::Disconnect);
                let may = is_light && role == Role::User;
                assert_eq!(status(Role::Moderator, act, 2, role), if may { 200 } else { 403 }, "{act:?} {role:?}");
                assert_eq!(status(Role::User, act, 2, role), 403, "{act:?} {role:?}");
                assert!(may_all(act, role));
            }
        }
    }

    fn may_all(act: Act, role: Role) -> bool {
        may(None, act, UserId(1), role).is_ok()
    }

    #[test]
    fn nobody_does_to_themselves_what_their_office_lets_them_do_to_others() {
        for role in ROLES {
            for act in ACTS {
                let expected = match (act, role) {
                    (Act::Disconnect, _) => 200,
                    (_, Role::User) => 403,
                    _ => 409,
                };
                assert_eq!(status(role, act, 1, role), expected, "{act:?} {role:?}");
            }
        }
    }
}
