//! Ids as types of their own, so that a room's id can't be passed for a user's.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize, serde::Deserialize,
        )]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        /// A number like any other.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                i64::schema()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl askama::filters::HtmlSafe for $name {}

        impl askama::FastWritable for $name {
            fn write_into(&self, dest: &mut dyn std::fmt::Write, values: &dyn askama::Values) -> askama::Result<()> {
                self.0.write_into(dest, values)
            }
        }
    };
}

id!(UserId);
id!(RoomId);
id!(MessageId);
id!(MembershipId);
id!(AttachmentId);
id!(ReactionId);
id!(PinId);
id!(InterestId);
id!(NotificationId);
id!(ReportId);
id!(EmailId);
id!(ApiTokenId);
id!(ResetTokenId);
id!(RefreshTokenId);
id!(InvitationId);
id!(BlockId);
id!(PushSubscriptionId);
id!(
    /// A row of the model `sessions`; the cookie holds another, unguessable id.
    SessionId
);
