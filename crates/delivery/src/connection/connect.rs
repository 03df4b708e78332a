//! Connecting to a host by all of its addresses: each gets a head start before the next, so that one family of addresses
//! that is broken does not eat the whole limit (RFC 8305).

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, task::JoinSet, time};

use super::RequestError;

/// The head start of an address before the next one is tried (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// The first connection that any of the addresses accepts.
pub(crate) async fn connect_any(addresses: &[SocketAddr]) -> Result<TcpStream, RequestError> {
    let mut waiting = interleaved(addresses).into_iter();
    let mut trying = JoinSet::new();
    let mut failure = RequestError::Dns;
    loop {
        if let Some(address) = waiting.next() {
            trying.spawn(TcpStream::connect(address));
        } else if trying.is_empty() {
            return Err(failure);
        }
        let head_start = async {
            match waiting.len() {
                0 => std::future::pending().await,
                _ => time::sleep(HEAD_START).await,
            }
        };
        tokio::select! {
            // Cancelled, nothing was taken out of the set.
            Some(tried) = trying.join_next() => match tried {
                Ok(Ok(stream)) => {
                    // Requests are written whole, so waiting for more only delays them.
                    let _delayed_at_worst = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    failure = RequestError::Refused;
                }
                Ok(Err(_)) | Err(_) if failure != RequestError::Refused => failure = RequestError::NotConnected,
                Ok(Err(_)) | Err(_) => {}
            },
            () = head_start => {}
        }
    }
}

/// The addresses with the families taking turns, beginning with that of the first.
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let of = |is_v6| {
        addresses
            .iter()
            .copied()
            .filter(move |one| one.is_ipv6() == is_v6)
    };
    let (mut first, mut second) = (of(first_is_v6), of(!first_is_v6));
    let mut all = Vec::with_capacity(addresses.len());
    while all.len() < addresses.len() {
        all.extend(first.next());
        all.extend(second.next());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let given = ["[::1]:1", "[::2]:1", "1.1.1.1:1", "[::3]:1"].map(address);
        let expected = ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"].map(address);
        assert_eq!(interleaved(&given), expected);
        assert_eq!(interleaved(&[]), []);
    }

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_to_the_next() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        assert!(connect_any(&[refusing, good]).await.is_ok());
        assert_eq!(
            connect_any(&[refusing]).await.unwrap_err(),
            RequestError::Refused
        );
        assert_eq!(connect_any(&[]).await.unwrap_err(), RequestError::Dns);
    }
}
