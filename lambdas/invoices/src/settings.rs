//! The settings of invoices.

use anyhow::Context;
use domain::TaxRate;
use jiff::tz::TimeZone;
use platform::config;

use crate::record::Seller;

/// The settings with which invoices are issued.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Settings {
    pub seller: Seller,
    /// The time zone that determines the dates and the year of invoices.
    pub time_zone: TimeZone,
    /// The tax rate of products that have none of their own.
    pub standard_tax_rate: TaxRate,
}

impl Settings {
    /// Reads `SHOP_NAME`, `SHOP_ADDRESS` (lines separated by `|`, of which the last may be a country code),
    /// `SHOP_TAX_ID`, `SHOP_TIME_ZONE` (an IANA name) and `STANDARD_TAX_RATE` (in hundredths of a percent).
    ///
    /// # Errors
    /// When the time zone or the tax rate is missing or invalid. The address and the tax id are optional;
    /// invoices lack them if they are not set.
    pub fn from_env() -> anyhow::Result<Self> {
        let text = |name, default: &str| config::optional(name, default.to_owned());
        let address = text("SHOP_ADDRESS", "")?;
        let rate: i64 = config::required("STANDARD_TAX_RATE")?.parse().context("STANDARD_TAX_RATE")?;
        let tax_id = text("SHOP_TAX_ID", "")?;
        if address.is_empty() || tax_id.is_empty() {
            tracing::warn!("invoices will lack the shop's address or tax id: set ShopAddress and ShopTaxId");
        }
        let lines = address.split('|').map(str::trim).filter(|line| !line.is_empty());
        Ok(Self {
            seller: Seller {
                name: text("SHOP_NAME", "The shop")?,
                address: lines.map(str::to_owned).collect(),
                tax_id,
            },
            time_zone: config::time_zone("SHOP_TIME_ZONE")?,
            standard_tax_rate: TaxRate::try_from(rate).context("STANDARD_TAX_RATE")?,
        })
    }
}
