use model::{drive::Protocol, scope::*};
use stateright::{Checker, Model, report::WriteReporter};
fn main() -> anyhow::Result<()> {
    let faults: u8 = std::env::args().nth(1).unwrap_or("0".into()).parse()?;
    let canc: u8 = std::env::args().nth(2).unwrap_or("0".into()).parse()?;
    let exp: u8 = std::env::args().nth(3).unwrap_or("0".into()).parse()?;
    let without: &'static [model::state::Function] = match std::env::args().nth(4).as_deref() { Some("mail") => &[model::state::Function::SendEmail], Some("both") => &[model::state::Function::SendEmail, model::state::Function::TrackOrder],_ => &[] };
    let last: &[model::state::Function] = match std::env::args().nth(5).as_deref() { Some("none") => &[], Some("mail") => &[model::state::Function::SendEmail], _ => &[model::state::Function::TrackOrder,model::state::Function::SendEmail] };
    let scope = Scope { name: "x", orders: &[[1,1]], stock: [1,1], cards: &[Card::Succeeds, Card::Declines], faults, kinds: KINDS, cancellations: canc, expiries: exp, copies: 1, last, without };
    let p = Protocol::new(scope, None)?;
    let start = std::time::Instant::now();
    let c = p.checker().threads(2).spawn_bfs().join_and_report(&mut WriteReporter::new(&mut std::io::stderr()));
    for (name, path) in c.discoveries() { println!("{name}"); for a in path.into_actions() { println!("   {a:?}"); } }
    println!("{:?}", start.elapsed());
    Ok(())
}
