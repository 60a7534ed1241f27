//! The descriptions of the operations for the contract.

use domain::Sku;
use platform::http::OperationDescription;

use crate::request::CreateImageUpload;
use crate::view::{ProductImageView, UploadFormView};

pub(crate) fn describe_create(it: &mut OperationDescription) {
    it.about(
        "Create an image upload",
        "Returns a form for uploading the file. POST the file to the form's `url` as `multipart/form-data`, \
         with the unchanged `fields`, followed by the field `file`. Then poll the product's image until its \
         `status` is no longer `pending`. The format is detected from the content of the file, regardless of \
         its name and media type. The file itself is never served: it is scanned for malware, and the served \
         images are encoded from its pixels, without its metadata.",
    )
    .path::<Sku>("sku", "The SKU of the product.")
    .body::<CreateImageUpload>()
    .response::<UploadFormView>(201, "The upload form.")
    .with_header("Location", "The URL of the product's image, which shows the status of the upload.");
}

pub(crate) fn describe_get(it: &mut OperationDescription) {
    it.about(
        "Get a product's image",
        "Returns the status of the latest upload, and the image of the newest upload that is ready.",
    )
    .path::<Sku>("sku", "The SKU of the product.")
    .response::<ProductImageView>(200, "The status of the latest upload, and the current image.")
    .problem(404, "not-found", "No image has been uploaded for this product.");
}
