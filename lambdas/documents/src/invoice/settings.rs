//! What the shop says of itself.

use anyhow::Context;
use domain::TaxRate;
use jiff::tz::TimeZone;
use platform::config;

use super::record::Seller;

/// What invoices are issued with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The seller on them.
    pub seller: Seller,
    /// Where the shop's days begin and end, and so its years.
    pub time_zone: TimeZone,
    /// The tax within a price where the product says nothing of it.
    pub standard_tax_rate: TaxRate,
}

impl Settings {
    /// From `SHOP_NAME`, `SHOP_ADDRESS` (lines with `|` between them), `SHOP_TAX_ID`, `SHOP_TIME_ZONE` (an IANA name) and
    /// `STANDARD_TAX_RATE` (in hundredths of a percent).
    ///
    /// # Errors
    /// When the zone or the rate is missing or is none. A shop without an address or a tax id has invoices without them.
    pub fn from_env() -> anyhow::Result<Self> {
        let text = |name, default: &str| config::optional(name, default.to_owned());
        let address = text("SHOP_ADDRESS", "")?;
        let zone = config::required("SHOP_TIME_ZONE")?;
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
            // Of the binary's own copy of the database: the runtime's system has none.
            time_zone: TimeZone::get(&zone).with_context(|| format!("SHOP_TIME_ZONE: {zone:?}"))?,
            standard_tax_rate: TaxRate::try_from(rate).context("STANDARD_TAX_RATE")?,
        })
    }
}
