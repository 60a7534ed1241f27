//! The certificates of the backend, generated for each run: a root, an intermediate and a certificate for `localhost`,
//! a chain as long as those of AWS's endpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// The root certificates of operating systems: Debian and Ubuntu; Amazon Linux and Fedora; Alpine.
const SYSTEM_ROOTS: &[&str] =
    &["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
/// The root certificates of AWS that are compiled into the functions.
const AMAZON_ROOTS: &str = "shared/aws/src/amazon-roots.pem";

/// The certificates of the backend, and the root that clients have to trust.
pub(crate) struct Certificates {
    /// The TLS configuration of the backend.
    pub(crate) server: Arc<ServerConfig>,
    root: String,
}

impl Certificates {
    /// Generates the certificates.
    pub(crate) fn generate() -> anyhow::Result<Self> {
        let (root, root_key) = (authority("bench root")?, KeyPair::generate()?);
        let root_pem = root.self_signed(&root_key)?.pem();
        let root = Issuer::new(root, root_key);

        let (intermediate, intermediate_key) = (authority("bench intermediate")?, KeyPair::generate()?);
        let intermediate_certificate = intermediate.signed_by(&intermediate_key, &root)?;
        let intermediate = Issuer::new(intermediate, intermediate_key);

        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &intermediate)?;
        let chain = vec![leaf.der().clone(), intermediate_certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self { server: Arc::new(server), root: root_pem })
    }

    /// Writes the roots that a function trusts (`SSL_CERT_FILE`): those that it loads on Lambda, and that of the backend.
    pub(crate) fn write_roots(&self, dir: &Path, repo: &Path) -> anyhow::Result<Roots> {
        let write = |name: &str, others: &Path| -> anyhow::Result<PathBuf> {
            let others = std::fs::read_to_string(others)
                .with_context(|| format!("reading the certificates in {}", others.display()))?;
            let file = dir.join(name);
            std::fs::write(&file, others + &self.root)?;
            Ok(file)
        };
        let system = SYSTEM_ROOTS.iter().map(Path::new).find(|path| path.exists()).with_context(|| {
            format!("no root certificates in any of {SYSTEM_ROOTS:?}: install the package ca-certificates")
        })?;
        Ok(Roots {
            amazon: write("amazon.pem", &repo.join(AMAZON_ROOTS))?,
            system: write("system.pem", system)?,
        })
    }
}

/// Files with trusted root certificates.
pub(crate) struct Roots {
    /// Amazon's, for functions that call only AWS and have these compiled in.
    pub(crate) amazon: PathBuf,
    /// The system's, for functions that call other servers.
    pub(crate) system: PathBuf,
}

fn authority(name: &str) -> anyhow::Result<CertificateParams> {
    let mut parameters = CertificateParams::new([])?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    Ok(parameters)
}
