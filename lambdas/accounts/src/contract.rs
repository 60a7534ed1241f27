//! The descriptions of the operations for the contract.

use platform::http::OperationDescription;

use crate::profile::Profile;
use crate::request::PutProfile;

const REVISION: &str = "The profile's revision, for `If-Match`.";

pub(crate) const NOT_A_USER: &str = "Only users have profiles: this token belongs to a machine client.";

pub(crate) fn describe_get(it: &mut OperationDescription) {
    it.about("Get your profile", "The profile is created at the first sign-in.")
        .response::<Profile>(200, "Your profile.")
        .with_header("ETag", REVISION)
        .problem(403, "forbidden", NOT_A_USER);
}

pub(crate) fn describe_put(it: &mut OperationDescription) {
    it.about("Update your profile", "Replaces the whole profile.")
        .header::<String>("If-Match", "Updates the profile only if its `ETag` matches; `*` always matches.")
        .header::<String>("If-None-Match", "Not useful here, because the profile always exists.")
        .body::<PutProfile>()
        .response::<Profile>(200, "Your updated profile.")
        .with_header("ETag", REVISION)
        .problem(403, "forbidden", NOT_A_USER)
        .problem(412, "precondition-failed", "The profile has changed: get it again.");
}
