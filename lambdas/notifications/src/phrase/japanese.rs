//! The phrases in Japanese, which has no plural forms and no spaces between words.

use domain::{Money, ShortageKind, VoidReason};
use localization::Language;

use super::Phrase;
use crate::decline::{Decline, Remedy};
use crate::email::EmailKind;

pub(super) fn say(phrase: Phrase<'_>) -> String {
    let language = Language::Japanese;
    let money = |amount: Money| language.format_money(amount);
    let count = |number: u32| language.format_count(number);
    match phrase {
        Phrase::Subject(kind) => match kind {
            EmailKind::Confirmation => "ご注文を承りました",
            EmailKind::Rejection => "ご注文を承ることができませんでした",
            EmailKind::PaymentFailure => "お支払いが承認されませんでした",
            EmailKind::Cancellation => "ご注文をキャンセルいたしました",
        }
        .into(),
        Phrase::Heading(kind) => match kind {
            EmailKind::Confirmation => "ご注文ありがとうございます",
            EmailKind::Rejection => "誠に申し訳ございません",
            EmailKind::PaymentFailure => "お支払いが承認されませんでした",
            EmailKind::Cancellation => "ご注文をキャンセルいたしました",
        }
        .into(),
        Phrase::Greeting { name } => format!("{name} 様"),
        Phrase::Paid(amount) if amount.minor_units() == 0 => {
            "このご注文は無料です。ただいま発送の準備をしております。".into()
        }
        Phrase::Paid(amount) => {
            format!("{}のお支払いを確認いたしました。ただいま発送の準備をしております。", money(amount))
        }
        Phrase::Rejected => {
            "ご注文いただいた内容では承ることができませんでした。料金は請求されておりません。".into()
        }
        Phrase::Shortage { product, kind } => match kind {
            ShortageKind::UnknownProduct => format!("{product}は、お取り扱いを終了いたしました。"),
            ShortageKind::OutOfStock { available: 0 } => format!("{product}は、在庫がございません。"),
            ShortageKind::OutOfStock { available } => {
                format!("{product}は、在庫が残り{}点のみです。", count(*available))
            }
            ShortageKind::PriceChanged { price } => {
                format!("{product}の現在の価格は{}です。", money(*price))
            }
        },
        Phrase::Declined(decline) => match decline {
            Decline::InsufficientFunds => "カードの残高または利用可能額が不足しています。",
            Decline::LimitExceeded => "カードの利用限度を超えています。",
            Decline::ExpiredCard => "カードの有効期限が切れています。",
            Decline::IncorrectCvc => "カードのセキュリティコードが正しくありません。",
            Decline::IncorrectDetails => "カードの情報が正しくありません。",
            Decline::AuthenticationRequired => "カード会社がお客様による認証を求めています。",
            Decline::CardNotSupported => "このカードはこのお支払いにはご利用いただけません。",
            Decline::CurrencyNotSupported => "ご注文の通貨ではお支払いいただけません。",
            Decline::InvalidPaymentMethod => "ご指定のお支払い方法はご利用いただけません。",
            Decline::AmountTooSmall => "ご注文の金額が少なすぎるため、お支払いを処理できません。",
            Decline::AmountTooLarge => "ご注文の金額が多すぎるため、お支払いを処理できません。",
            Decline::Temporary => "一時的な問題により、お支払いを処理できませんでした。",
            Decline::ByBank => "カード会社がお支払いを承認しませんでした。",
            Decline::ByProvider => "お支払いを処理できませんでした。",
        }
        .into(),
        Phrase::Remedy(remedy) => match remedy {
            Remedy::AnotherCard => "別のカードで改めてご注文ください。",
            Remedy::Later => "しばらくしてから、または別のカードで改めてご注文ください。",
            Remedy::LargerOrder => "商品を追加して改めてご注文ください。",
            Remedy::SmallerOrders => "複数のご注文に分けて改めてご注文ください。",
        }
        .into(),
        Phrase::Cancelled(reason) => match reason {
            VoidReason::CustomerRequest => "ご依頼のとおり、ご注文をキャンセルいたしました。",
            VoidReason::Expired => "お手続きが期限内に完了しなかったため、ご注文をキャンセルいたしました。",
            VoidReason::Provider => "お支払いが取り消されたため、ご注文をキャンセルいたしました。",
        }
        .into(),
        Phrase::NotCharged => "料金は請求されておりません。".into(),
        Phrase::Order(order) => format!("ご注文番号 {order}"),
        Phrase::YourOrder(order) => format!("ご注文内容（ご注文番号 {order}）："),
        Phrase::Row { quantity, product, unit_price } => {
            format!("{product} × {}（単価 {}）", count(quantity), money(unit_price))
        }
        Phrase::Product => "商品".into(),
        Phrase::Quantity => "数量".into(),
        Phrase::UnitPrice => "単価".into(),
        Phrase::Total { pieces } => format!("合計（{}点）", count(pieces)),
        Phrase::Labelled(label, value) => format!("{label}：{value}"),
    }
}
