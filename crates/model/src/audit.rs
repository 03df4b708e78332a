//! The actions of the audit trail, and how their actors were authenticated.

use crate::wire_enum::wire_enum;

wire_enum! {
    /// What was done.
    AuditAction {
        /// A connector was made.
        ConnectorCreated = 0, "connector_created";
        /// A connector was changed, switched on or off.
        ConnectorUpdated = 1, "connector_updated";
        /// A connector was deleted.
        ConnectorDeleted = 2, "connector_deleted";
        /// Someone became a member of a space, or got another role in it.
        MemberSet = 3, "member_set";
        /// Someone is no member of a space any more.
        MemberRemoved = 4, "member_removed";
        /// An API key was made.
        ApiKeyCreated = 5, "api_key_created";
        /// An API key was revoked.
        ApiKeyRevoked = 6, "api_key_revoked";
        /// A user was made.
        UserCreated = 7, "user_created";
        /// A user was locked out.
        UserDisabled = 8, "user_disabled";
        /// A user was let in again.
        UserEnabled = 9, "user_enabled";
        /// A user got another password.
        PasswordChanged = 10, "password_changed";
        /// A space was made.
        SpaceCreated = 11, "space_created";
        /// A space got another name.
        SpaceRenamed = 12, "space_renamed";
        /// A space was removed with everything in it.
        SpaceRemoved = 13, "space_removed";
        /// A space set or removed the mapping of a source.
        MappingSet = 14, "mapping_set";
        /// A space set or removed the secret of a source.
        SecretSet = 15, "secret_set";
        /// A session began.
        SignedIn = 16, "signed_in";
        /// A sign-in was refused.
        SignInFailed = 17, "sign_in_failed";
        /// A session was ended by its user.
        SignedOut = 18, "signed_out";
        /// A delivery was queued again.
        DeliveryRetried = 19, "delivery_retried";
        /// The deliveries of a span of time were queued again.
        DeliveriesReplayed = 20, "deliveries_replayed";
        /// A problem was resolved by hand.
        AlertResolved = 21, "alert_resolved";
        /// A user was removed.
        UserRemoved = 22, "user_removed";
        /// A user got another invitation.
        UserInvited = 23, "user_invited";
        /// Alerts were erased with all that belongs to them.
        AlertsErased = 24, "alerts_erased";
    }
}

wire_enum! {
    /// How an actor was authenticated.
    AuthMethod {
        /// With a session token.
        Session = 0, "session";
        /// With an API key.
        ApiKey = 1, "api_key";
        /// With e-mail and password, to begin a session.
        Password = 2, "password";
        /// Through single sign-on.
        SingleSignOn = 3, "single_sign_on";
        /// At the command line of the server's machine.
        CommandLine = 4, "command_line";
        /// With the link of an invitation.
        Invitation = 5, "invitation";
    }
}
