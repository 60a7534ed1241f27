//! Allocation of an amount to the lines of an order.

/// Allocates `amount` in proportion to `weights`, in whole units. The shares always add up to `amount`: the
/// rest that rounding leaves goes to the largest remainders, and to the first of equal ones. If all weights
/// are 0, the first share is the whole amount.
pub fn allocate(amount: u64, weights: &[u64]) -> Vec<u64> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if total == 0 {
        let rest = weights.iter().skip(1).map(|_| 0);
        return weights.first().map(|_| amount).into_iter().chain(rest).collect();
    }
    let product = |weight: u64| u128::from(amount) * u128::from(weight);
    let mut shares: Vec<(u64, u128)> = weights
        .iter()
        .map(|weight| (u64::try_from(product(*weight) / total).unwrap_or(u64::MAX), product(*weight) % total))
        .collect();
    let allocated: u64 = shares.iter().map(|(share, _)| *share).sum();
    let rest_units = usize::try_from(amount.saturating_sub(allocated)).unwrap_or_default();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by_key(|index| std::cmp::Reverse(shares.get(*index).map(|(_, remainder)| *remainder)));
    for index in by_remainder.into_iter().take(rest_units) {
        if let Some((share, _)) = shares.get_mut(index) {
            *share += 1;
        }
    }
    shares.into_iter().map(|(share, _)| share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rest_goes_to_the_largest_remainders() {
        assert_eq!(allocate(100, &[1, 1, 1]), [34, 33, 33]);
        assert_eq!(allocate(1, &[1, 2]), [0, 1]);
        assert_eq!(allocate(2999, &[2500, 499]), [2500, 499]);
        assert_eq!(allocate(5, &[0, 0]), [5, 0]);
        assert!(allocate(5, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn the_shares_add_up_to_the_amount(amount in 0..1_000_000_000_u64, weights in prop::collection::vec(0..100_000_000_u64, 1..50)) {
            let shares = allocate(amount, &weights);
            prop_assert_eq!(shares.len(), weights.len());
            prop_assert_eq!(shares.iter().sum::<u64>(), amount);
        }
    }
}
