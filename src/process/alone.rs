//! One operator a pod. A second one, started by hand beside the first, would pass for the container
//! after a restart, and take the lock from a living process.

use std::io;

/// The place of the operator in its pod, until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Place {
    #[cfg(target_os = "linux")]
    _socket: std::os::unix::net::UnixListener,
}

/// Takes the place of the operator that uses `lease` in the pod `uid`; `None` if somebody has it.
///
/// It is an abstract socket: nothing stays behind of a process that was killed, so a container that
/// is started again has it at once. Containers of one pod share it, other pods have their own.
///
/// # Errors
///
/// When it cannot be known whether somebody has it.
#[cfg(target_os = "linux")]
pub fn take_place(uid: &str, lease: (&str, &str)) -> io::Result<Option<Place>> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::{SocketAddr, UnixListener};

    use sha2::{Digest, Sha256};

    // The name of a socket is short, and those of Leases are not.
    let who = format!("{uid}/{}/{}", lease.0, lease.1);
    let name = [b"singletrack/".as_slice(), &Sha256::digest(who)].concat();
    match UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?) {
        Ok(socket) => Ok(Some(Place { _socket: socket })),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error),
    }
}

/// Elsewhere there are no pods.
#[cfg(not(target_os = "linux"))]
pub fn take_place(_: &str, _: (&str, &str)) -> io::Result<Option<Place>> {
    Ok(Some(Place {}))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_taken_once_and_free_again_at_once() {
        let uid = format!("uid-of-{}", std::process::id());
        let first = take_place(&uid, ("a", "b")).unwrap();
        assert!(first.is_some());
        assert!(take_place(&uid, ("a", "b")).unwrap().is_none());
        for other in [(uid.as_str(), ("a", "c")), (&uid, ("b", "b")), ("another", ("a", "b"))] {
            assert!(take_place(other.0, other.1).unwrap().is_some(), "{other:?}");
        }
        drop(first);
        assert!(take_place(&uid, ("a", "b")).unwrap().is_some());
    }
}
